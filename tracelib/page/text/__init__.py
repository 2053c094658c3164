"""Text from elsewhere on a page: as it is, or formatted safely."""
