from dataclasses import replace

import numpy as np
import pytest
import torch

from model.config import AttentionKind, ModelConfig
from model.network.counted_cache import CountedCache
from model.network.decoder import Decoder
from model.training import parameters
from model.training.study_recipe import KINDS, study_config


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_is_read_by_its_own_and_all_later_queries_and_every_query_once(kind: AttentionKind) -> None:
    config: ModelConfig = replace(study_config(kind), vocab_size=300, dtype="float32", layers=2, moe_layers=(1,))
    decoder = Decoder(config, parameters.bound(config, parameters.initial(config, seed=1)))
    counted = CountedCache(config, dtype=torch.float32, device=torch.device("cpu"))
    uncounted = decoder.new_cache()
    with torch.no_grad():
        for ids in ([5, 6, 7, 8, 9], [10, 11], [12], [13]):
            few = len(ids) == 1
            logits = [decoder.step(torch.tensor(ids), cache, absorbed=few) for cache in (counted, uncounted)]
            assert torch.equal(*logits)
    np.testing.assert_array_equal(counted.reads_LT, np.tile(np.arange(9, 0, -1), (2, 1)))
    np.testing.assert_array_equal(counted.queries_LT, np.ones((2, 9)))
    assert counted.used_bytes() == uncounted.used_bytes()
