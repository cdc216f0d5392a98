"""Self-contained HTML pages: what reports and albums are made of."""
