"""The methods: one file each, the parts they share, and the table of them all, which needs no torch."""
