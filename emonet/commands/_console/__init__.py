"""What the commands share: options, progress bars, tables and exit statuses."""
