"""The catalogue of GPU instances and SKUs against facts, its own rules and the compiled list."""

import csv
from decimal import Decimal

import pytest

from dashboard.ingest import catalogue

from .conftest import REAL


@pytest.mark.parametrize(
    ("instance_type", "gpu_type", "count"),
    [
        ("p4d.24xlarge", "A100-40GB", "8"),
        ("p4de.24xlarge", "A100-80GB", "8"),
        ("p3.16xlarge", "V100-16GB", "8"),
        ("p3dn.24xlarge", "V100-32GB", "8"),
        ("g5.4xlarge", "A10G", "1"),
        ("g3.4xlarge", "M60", "1"),
        ("g6f.large", "L4", "0.125"),
        ("ml.g5.12xlarge", "A10G", "4"),
        ("standard_nd96asr_V4", "A100-40GB", "8"),
        ("Standard_NC40ads_H100_v5", "H100-94GB", "1"),
        (" Standard_NV36ads_A10_v5 ", "A10", "1"),
        ("a2-ultragpu-2g", "A100-80GB", "2"),
        ("BM.GPU4.8", "A100-40GB", "8"),
    ],
)
def test_an_instance_is_so_many_gpus_of_a_type(instance_type, gpu_type, count):
    gpu = catalogue.of_instance(instance_type)
    assert gpu is not None
    assert (gpu.gpu_type, gpu.count) == (gpu_type, Decimal(count))


@pytest.mark.parametrize(
    "name", ["", "m5.large", "trn1.2xlarge", "inf2.48xlarge", "Standard_NP10s", "p4d", "B95907"]
)
def test_what_is_no_gpu_instance_is_none(name):
    assert catalogue.of_instance(name) is None


def test_a_sku_is_priced_by_the_gpu_hour():
    for name, gpu_type in (("B92740", "A100-40GB"), ("Nvidia Tesla A100 80GB GPU", "A100-80GB")):
        gpu = catalogue.of_sku(name)
        assert gpu is not None
        assert (gpu.gpu_type, gpu.count) == (gpu_type, 1)


def test_models_of_several_sizes_say_their_size():
    names = catalogue.gpu_types()
    for model in ("A100", "V100", "H100"):
        assert model not in names
        assert len([name for name in names if name.startswith(model + "-")]) == 2


def test_an_unknown_member_of_a_gpu_family_is_noticed():
    for name in ("p7.48xlarge", "p6e-gb200.36xlarge", "Standard_ND999_v9", "BM.GPU.X1.8", "a5-highgpu-8g"):
        assert catalogue.looks_like_gpu(name), name
    for name in (
        "p4d.24xlarge",
        "m5.large",
        "t3.medium",
        "Standard_D2s_v5",
        "VM.Standard.E4.Flex",
        "trn1.2xlarge",
    ):
        assert not catalogue.looks_like_gpu(name), name


if REAL.is_dir():

    def test_every_fact_of_the_compiled_list_is_in_the_catalogue():
        with (REAL / "gpu_instances.csv").open(encoding="utf-8", newline="") as file:
            facts = list(csv.DictReader(file))
        for fact in facts:
            gpu = catalogue.of_instance(fact["instance_type"])
            if fact["kind"] != "gpu":
                assert gpu is None
                continue
            assert gpu is not None, fact["instance_type"]
            model, _, size = gpu.gpu_type.partition("-")
            assert (model, gpu.provider) == (fact["gpu_type"], fact["provider"])
            assert size in ("", f"{fact['gpu_memory_gib']}GB")
            assert abs(gpu.count - Decimal(fact["gpu_count"])) < Decimal("0.0001")
        assert len(facts) == 255
