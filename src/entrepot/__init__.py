"""Entrepot: a trusted data space (可信数据空间) that organisations run themselves."""
