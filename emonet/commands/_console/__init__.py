"""What several commands use: options, progress bars, tables and JSON, exit statuses."""
