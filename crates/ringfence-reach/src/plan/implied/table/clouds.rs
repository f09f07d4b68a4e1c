//! Vendors of clouds, their storage and what runs jobs there.

use super::{Implied, row};

/// Settings that point all of Amazon's clients elsewhere, mostly to a stand-in on this machine.
const AWS_ELSEWHERE: &[&str] = &["AWS_ENDPOINT_URL", "LOCALSTACK_HOST"];
const S3_ELSEWHERE: &[&str] = &[
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_S3_ENDPOINT_URL",
    "AWS_S3_ENDPOINT",
    "S3_ENDPOINT_URL",
    "S3_ENDPOINT",
    "LOCALSTACK_HOST",
];

pub(super) const ROWS: &[Implied] = &[
    row(
        "Amazon Web Services",
        &[
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_ROLE_ARN",
            "AWS_S3_ACCESS_KEY_ID",
            "AWS_KEY",
        ],
        &[
            "sts.amazonaws.com",
            "sts.{AWS_REGION}.amazonaws.com",
            "s3.{AWS_REGION}.amazonaws.com",
            "dynamodb.{AWS_REGION}.amazonaws.com",
            "sqs.{AWS_REGION}.amazonaws.com",
            "sns.{AWS_REGION}.amazonaws.com",
            "email.{AWS_REGION}.amazonaws.com",
            "secretsmanager.{AWS_REGION}.amazonaws.com",
            "ssm.{AWS_REGION}.amazonaws.com",
            "kms.{AWS_REGION}.amazonaws.com",
            "lambda.{AWS_REGION}.amazonaws.com",
            "kinesis.{AWS_REGION}.amazonaws.com",
            "events.{AWS_REGION}.amazonaws.com",
            "logs.{AWS_REGION}.amazonaws.com",
            "monitoring.{AWS_REGION}.amazonaws.com",
            "cognito-idp.{AWS_REGION}.amazonaws.com",
            "bedrock-runtime.{AWS_REGION}.amazonaws.com",
        ],
    )
    .unless(AWS_ELSEWHERE),
    row(
        "Amazon S3",
        &[
            "S3_*BUCKET",
            "S3_*BUCKET_NAME",
            "AWS_*BUCKET",
            "AWS_*BUCKET_NAME",
        ],
        &[
            "{value}.s3.{AWS_REGION}.amazonaws.com",
            "{value}.s3.amazonaws.com",
            "s3.{AWS_REGION}.amazonaws.com",
        ],
    )
    .unless(S3_ELSEWHERE),
    row(
        "Cloudflare",
        &["CLOUDFLARE_*TOKEN", "CLOUDFLARE_*KEY", "CF_API_TOKEN"],
        &["api.cloudflare.com"],
    ),
    row(
        "Cloudflare R2",
        &[
            "R2_*KEY_ID",
            "R2_*ACCESS_KEY",
            "CLOUDFLARE_R2_*KEY_ID",
            "CLOUDFLARE_R2_*ACCESS_KEY",
        ],
        &["{R2_ACCOUNT}.r2.cloudflarestorage.com"],
    ),
    row(
        "Cloudflare R2",
        &[
            "R2_*BUCKET",
            "R2_*BUCKET_NAME",
            "CLOUDFLARE_R2_*BUCKET",
            "CLOUDFLARE_R2_*BUCKET_NAME",
        ],
        &["{value}.{R2_ACCOUNT}.r2.cloudflarestorage.com"],
    ),
    row(
        "Azure Storage",
        &["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"],
        &["{value}.blob.core.windows.net"],
    )
    .unless(&["AZURE_STORAGE_CONNECTION_STRING"]),
    row(
        "Microsoft Entra",
        &["AZURE_TENANT_ID", "AZURE_AD_*", "ENTRA_*"],
        &["login.microsoftonline.com"],
    ),
    row(
        "Firebase",
        &["FIREBASE_*"],
        &[
            "identitytoolkit.googleapis.com",
            "securetoken.googleapis.com",
            "firestore.googleapis.com",
            "firebasestorage.googleapis.com",
            "fcm.googleapis.com",
            "oauth2.googleapis.com",
            "www.googleapis.com",
        ],
    )
    .unless(&["FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"]),
    row("Firebase", &["FIREBASE_AUTH_DOMAIN"], &["{host}"]),
    row(
        "Google Cloud",
        &["GOOGLE_APPLICATION_CREDENTIALS"],
        &["oauth2.googleapis.com"],
    ),
    row(
        "Google Cloud Storage",
        &["GCS_*BUCKET", "GCS_*BUCKET_NAME", "GCP_*BUCKET"],
        &["storage.googleapis.com", "oauth2.googleapis.com"],
    )
    .unless(&["STORAGE_EMULATOR_HOST"]),
    row("Vercel", &["VERCEL_*TOKEN"], &["api.vercel.com"]),
    row("Vercel Blob", &["BLOB_READ_WRITE_TOKEN"], &["vercel.com"]).or_value(&["vercel_blob_rw_"]),
    row("Netlify", &["NETLIFY_*TOKEN"], &["api.netlify.com"]),
    row(
        "DigitalOcean",
        &["DIGITALOCEAN_*TOKEN", "DO_API_TOKEN"],
        &["api.digitalocean.com"],
    )
    .or_value(&["dop_v1_"]),
    row("Heroku", &["HEROKU_API_KEY"], &["api.heroku.com"]),
    row("Inngest", &["INNGEST_*KEY"], &["inn.gs", "api.inngest.com"])
        .unless(&["INNGEST_DEV", "INNGEST_BASE_URL"]),
    row("Trigger.dev", &["TRIGGER_SECRET_KEY"], &["api.trigger.dev"]).unless(&["TRIGGER_API_URL"]),
    row(
        "Cloudinary",
        &["CLOUDINARY_*"],
        &["api.cloudinary.com", "res.cloudinary.com"],
    ),
];
