from tests.faults.table import PAGE, page

PAGE.write_text(page(), "utf-8")
