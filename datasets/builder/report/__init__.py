"""The report of a build: one page that shows what was kept and dropped."""
