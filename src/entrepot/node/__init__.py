"""What runs? Settings, worker loops, the HTTP applications, and the roles of a node."""
