"""How much goes through a tower in one call: the limits that training keeps, and that a plan counts memory by."""

IMAGES_PER_CALL = {"cpu": 256, "cuda": 512}  # to which the batches of several runs are joined, and of a test
PROMPTS_PER_CALL = 4096  # of the text tower, if those that begin alike are no more
TOKENS_PER_CALL = 16_384  # of a search on a GPU: what the text tower keeps of them is 8 GB (docs/gpu.md)
BACKWARD = 1.35  # peak of a step by what its forward pass keeps: 1.3 with ResNet-18 on a CPU
