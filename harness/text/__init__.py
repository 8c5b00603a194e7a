"""The one door for text to a terminal, a log or a file.

Text from elsewhere is data: on the terminal it is neither markup nor a control sequence, in a
spreadsheet no formula, in Markdown, XML and LaTeX no syntax. Nothing outside this room makes a
console, prints, or escapes (``tests/harness/text`` looks).
"""
