//! Vendors of payment.

use super::{Implied, row};
use crate::plan::implied::When;

const ADYEN: &[&str] = &["ADYEN_ENVIRONMENT", "ADYEN_ENV"];
const BRAINTREE: &[&str] = &["BRAINTREE_ENVIRONMENT", "BRAINTREE_ENV"];
const GOCARDLESS: &[&str] = &["GOCARDLESS_ENVIRONMENT", "GOCARDLESS_ENV"];
const PADDLE: &[&str] = &["PADDLE_ENVIRONMENT", "PADDLE_ENV"];
const PAYPAL: &[&str] = &["PAYPAL_MODE", "PAYPAL_ENVIRONMENT", "PAYPAL_ENV"];
const PLAID: &[&str] = &["PLAID_ENV", "PLAID_ENVIRONMENT"];
const SQUARE: &[&str] = &["SQUARE_ENVIRONMENT", "SQUARE_ENV"];

pub(super) const ROWS: &[Implied] = &[
    row(
        "Stripe",
        &["STRIPE_*"],
        &["api.stripe.com", "files.stripe.com"],
    )
    .unless(&["STRIPE_API_BASE"]),
    row("PayPal", &["PAYPAL_*"], &["api-m.paypal.com"]).when(When::Live(PAYPAL)),
    row("PayPal", &["PAYPAL_*"], &["api-m.sandbox.paypal.com"]).when(When::Test(PAYPAL)),
    row("Square", &["SQUARE_*"], &["connect.squareup.com"]).when(When::Live(SQUARE)),
    row("Square", &["SQUARE_*"], &["connect.squareupsandbox.com"]).when(When::Test(SQUARE)),
    row(
        "Adyen",
        &["ADYEN_*KEY"],
        &[
            "{ADYEN_PREFIX}-checkout-live.adyenpayments.com",
            "{ADYEN_PREFIX}-pal-live.adyenpayments.com",
            "management-live.adyen.com",
        ],
    )
    .when(When::Live(ADYEN)),
    row(
        "Adyen",
        &["ADYEN_*KEY"],
        &[
            "checkout-test.adyen.com",
            "pal-test.adyen.com",
            "management-test.adyen.com",
        ],
    )
    .when(When::Test(ADYEN)),
    row("Plaid", &["PLAID_*"], &["production.plaid.com"]).when(When::Live(PLAID)),
    row("Plaid", &["PLAID_*"], &["sandbox.plaid.com"]).when(When::Test(PLAID)),
    row(
        "Braintree",
        &["BRAINTREE_*"],
        &["api.braintreegateway.com", "payments.braintree-api.com"],
    )
    .when(When::Live(BRAINTREE)),
    row(
        "Braintree",
        &["BRAINTREE_*"],
        &[
            "api.sandbox.braintreegateway.com",
            "payments.sandbox.braintree-api.com",
        ],
    )
    .when(When::Test(BRAINTREE)),
    row("Paddle", &["PADDLE_*"], &["api.paddle.com"]).when(When::Live(PADDLE)),
    row("Paddle", &["PADDLE_*"], &["sandbox-api.paddle.com"]).when(When::Test(PADDLE)),
    row("GoCardless", &["GOCARDLESS_*"], &["api.gocardless.com"]).when(When::Live(GOCARDLESS)),
    row(
        "GoCardless",
        &["GOCARDLESS_*"],
        &["api-sandbox.gocardless.com"],
    )
    .when(When::Test(GOCARDLESS)),
    row("Mollie", &["MOLLIE_*KEY"], &["api.mollie.com"]),
    row("Razorpay", &["RAZORPAY_*"], &["api.razorpay.com"]),
    row("Paystack", &["PAYSTACK_*"], &["api.paystack.co"]),
    row(
        "Flutterwave",
        &["FLUTTERWAVE_*", "FLW_*KEY"],
        &["api.flutterwave.com"],
    ),
    row(
        "Lemon Squeezy",
        &["LEMONSQUEEZY_*", "LEMON_SQUEEZY_*"],
        &["api.lemonsqueezy.com"],
    ),
];
