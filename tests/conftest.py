import os

# The suite must not reach for a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from hypothesis import settings

# The models here are tiny: threads would cost more than they give. And a forked worker hangs in a
# process whose torch has started threads (see docs/using.md, threads and processes).
torch.set_num_threads(1)

# How long an example takes says how busy the machine is.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
