"""What people look at: AUP, tables, figures and the page, made from the store without torch."""
