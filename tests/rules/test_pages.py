"""The pages made from tables say what the tables say."""
import pytest
import source_tree
import table_pages


@pytest.mark.parametrize("page", table_pages.PAGES)
def test_a_page_made_from_a_table_is_up_to_date(page):
    assert source_tree.text(page) == table_pages.PAGES[page](), "./dev docs writes it anew"
