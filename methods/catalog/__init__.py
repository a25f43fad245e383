"""The methods, one file per paper: its rows of the table and `build`, which names the policies of its decoder."""
