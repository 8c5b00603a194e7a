"""The paper's figures and tables, measured beside published; reads the store, never torch."""
