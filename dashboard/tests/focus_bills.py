"""FOCUS bills of a few rows, and what is read of them."""

import csv
import io
import json

from dashboard.ingest.formats import focus
from dashboard.ingest.records import BillRow, Refused

from .conftest import SAMPLES
from .loading import records_of

ROW = {
    "BilledCost": "10",
    "EffectiveCost": "9.5",
    "BillingCurrency": "USD",
    "BillingAccountId": "acct",
    "BillingPeriodStart": "2025-03-01T00:00:00Z",
    "BillingPeriodEnd": "2025-04-01T00:00:00Z",
    "ChargePeriodStart": "2025-03-05T10:00:00Z",
    "ChargeCategory": "Usage",
    "ServiceCategory": "Compute",
    "ProviderName": "AWS",
    "ChargeDescription": "",
    "SkuId": "",
    "SkuPriceDetails": "",
    "x_SkuDetails": "",
    "x_UsageType": "",
    "PricingCategory": "Standard",
    "CommitmentDiscountStatus": "",
    "ConsumedQuantity": "2",
    "ConsumedUnit": "Hours",
    "PricingQuantity": "2",
    "PricingUnit": "Hours",
    "SubAccountId": "",
    "Tags": "",
}


def a_file(*rows: dict) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def read(content, options=None):
    """Records and notes."""
    return records_of(content, focus, options)


def sample(name: str, options=None):
    return read(SAMPLES / name, options)


def one(**facts) -> BillRow:
    records, _ = read(a_file(ROW | facts))
    assert isinstance(records[0], BillRow), records[0]
    return records[0]


def refused(**facts) -> str:
    records, _ = read(a_file(ROW | facts))
    assert isinstance(records[0], Refused), records[0]
    return str(records[0])


def gpu_rows(records):
    """(line, kind, GPU type, GPU-hours) of the rows that have a GPU type."""
    hours = [(row.line, row.kind, row.gpu_type, row.gpu_hours) for row in records if row.gpu_type]
    return [(line, kind, gpu, None if amount is None else float(amount)) for line, kind, gpu, amount in hours]


def kinds(records):
    return [row.kind for row in records]


def p4d(**facts):
    return {"SkuPriceDetails": json.dumps({"InstanceType": "p4d.24xlarge"})} | facts
