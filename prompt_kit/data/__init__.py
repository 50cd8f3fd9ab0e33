"""What is read: lines of files, and the examples and texts in them.

from prompt_kit import Verbalizer
from prompt_kit.data import read_dataset

data = read_dataset("data/tnews", Verbalizer.from_file("data/tnews/label.txt"), ["train", "dev"])
data.train[0].text_a, data.train[0].label
"""

from prompt_kit.data.dataset import Dataset, Example, read_dataset

__all__ = ["Dataset", "Example", "read_dataset"]
