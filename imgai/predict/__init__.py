"""Load declared models as steps and chains, and run them. Modules of this package import torch unless they say so."""
