"""What goes wrong outside of the program, and how it ends. Each test is a row of the tables in docs/reliability.md."""
