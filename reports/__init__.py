"""The paper's figures and tables, measured beside published. Reads the store, never imports torch."""
