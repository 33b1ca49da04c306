"""Identity: from identifiers seen together to persons that keep their ids."""
