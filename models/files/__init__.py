"""Files and folders of models and trainings: read strictly, written whole, erased with care."""
