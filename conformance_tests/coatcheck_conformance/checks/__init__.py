"""The laws, each as properties of a stage. A module for each law; some for what is of none
alone."""
