"""Signs and verifies deliveries with the vendors' own libraries.

Reads one JSON object a line from standard input, and answers each with one
line. Bodies are in base64. Only what a library says counts: it is called as
its documentation shows it, with the fields as a web framework hands them out.
"""

import base64
import json
import sys
from datetime import datetime, timezone

import slack_sdk.signature
import standardwebhooks.webhooks
import stripe
import svix.webhooks


class Stripe:
    def sign(self, secret, asked, body):
        header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, asked["time"])
        return {"stripe-signature": header}

    def verify(self, secret, fields, body):
        tolerance = stripe.Webhook.DEFAULT_TOLERANCE
        return stripe.WebhookSignature.verify_header(body, fields.get("stripe-signature"), secret, tolerance)


class Slack:
    def sign(self, secret, asked, body):
        time = str(asked["time"])
        signature = slack_sdk.signature.SignatureVerifier(secret).generate_signature(timestamp=time, body=body)
        return {"x-slack-request-timestamp": time, "x-slack-signature": signature}

    def verify(self, secret, fields, body):
        return slack_sdk.signature.SignatureVerifier(secret).is_valid_request(body, fields)


class StandardWebhooks:
    library = standardwebhooks.webhooks.Webhook
    prefix = "webhook"

    def sign(self, secret, asked, body):
        time = datetime.fromtimestamp(asked["time"], tz=timezone.utc)
        return {
            f"{self.prefix}-id": asked["id"],
            f"{self.prefix}-timestamp": str(asked["time"]),
            f"{self.prefix}-signature": self.library(secret).sign(asked["id"], time, body.decode()),
        }

    def verify(self, secret, fields, body):
        self.library(secret).verify(body, fields, json_parse=False)
        return True


class Svix(StandardWebhooks):
    library = svix.webhooks.Webhook
    prefix = "svix"

    def verify(self, secret, fields, body):
        self.library(secret).verify(body, fields)
        return True


VENDORS = {"slack": Slack(), "standard-webhooks": StandardWebhooks(), "stripe": Stripe(), "svix": Svix()}


def answer(asked):
    vendor = VENDORS[asked["vendor"]]
    body = base64.b64decode(asked["body"])
    if asked["do"] == "sign":
        try:
            return {"fields": list(vendor.sign(asked["secret"], asked, body).items())}
        except UnicodeDecodeError as error:
            return {"refused": repr(error)}
    # As WSGI has them: a field that came twice is one, with a comma.
    fields = {}
    for name, value in asked["fields"]:
        name = name.lower()
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    refusals = []
    for secret in asked["secrets"]:
        try:
            if vendor.verify(secret, fields, body):
                return {"accepted": True}
            refusals.append("False")
        # Libraries let other exceptions than their own through, and a caller
        # who gets one has no verified delivery.
        except Exception as error:
            refusals.append(type(error).__name__)
    return {"accepted": False, "why": ", ".join(refusals)}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
