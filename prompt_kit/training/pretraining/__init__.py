"""Language models: from nothing, adapted, and from a teacher."""
