"""File formats that several data sets come in: folder trees, archives, CSV files and Parquet."""
