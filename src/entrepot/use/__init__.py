"""How is data used without losing control?"""
