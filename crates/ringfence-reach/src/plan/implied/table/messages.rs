//! Vendors of mail, telephones, chats, sockets.

use super::{Implied, row};

pub(super) const ROWS: &[Implied] = &[
    row(
        "Twilio",
        &["TWILIO_*"],
        &[
            "api.twilio.com",
            "verify.twilio.com",
            "lookups.twilio.com",
            "messaging.twilio.com",
            "conversations.twilio.com",
        ],
    ),
    row(
        "SendGrid",
        &["SENDGRID_*KEY"],
        &["api.sendgrid.com", "api.eu.sendgrid.com"],
    )
    .or_value(&["SG."]),
    row(
        "Mailgun",
        &["MAILGUN_*"],
        &["api.mailgun.net", "api.eu.mailgun.net"],
    ),
    row("Postmark", &["POSTMARK_*"], &["api.postmarkapp.com"]),
    row("Resend", &["RESEND_*KEY"], &["api.resend.com"]),
    row(
        "Brevo",
        &["BREVO_*KEY", "SENDINBLUE_*KEY"],
        &["api.brevo.com"],
    ),
    row(
        "SparkPost",
        &["SPARKPOST_*KEY"],
        &["api.sparkpost.com", "api.eu.sparkpost.com"],
    ),
    row("MailerSend", &["MAILERSEND_*KEY"], &["api.mailersend.com"]),
    row("Mandrill", &["MANDRILL_*KEY"], &["mandrillapp.com"]),
    row(
        "Mailchimp",
        &["MAILCHIMP_SERVER_PREFIX"],
        &["{value}.api.mailchimp.com"],
    ),
    row("Loops", &["LOOPS_*KEY"], &["app.loops.so"]),
    row(
        "Vonage",
        &["VONAGE_API_*", "NEXMO_API_*"],
        &["rest.nexmo.com", "api.nexmo.com"],
    ),
    row(
        "OneSignal",
        &["ONESIGNAL_*", "ONE_SIGNAL_*"],
        &["api.onesignal.com"],
    ),
    row("Knock", &["KNOCK_*KEY"], &["api.knock.app"]),
    row("Novu", &["NOVU_*KEY"], &["api.novu.co", "eu.api.novu.co"]),
    row(
        "Slack",
        &["SLACK_*TOKEN", "SLACK_CLIENT_*", "SLACK_SIGNING_SECRET"],
        &["slack.com", "files.slack.com"],
    )
    .or_value(&["xoxb-", "xoxp-"]),
    row(
        "Slack",
        &["SLACK_APP_TOKEN"],
        &["wss-primary.slack.com", "wss-backup.slack.com"],
    )
    .or_value(&["xapp-"]),
    row(
        "Discord",
        &["DISCORD_*TOKEN", "DISCORD_*SECRET"],
        &["discord.com", "gateway.discord.gg"],
    ),
    row("Telegram", &["TELEGRAM_*TOKEN"], &["api.telegram.org"]),
    row(
        "Pusher",
        &["PUSHER_*KEY", "PUSHER_*SECRET"],
        &[
            "api-{PUSHER_CLUSTER}.pusher.com",
            "ws-{PUSHER_CLUSTER}.pusher.com",
        ],
    )
    .unless(&["PUSHER_HOST"]),
    row(
        "Ably",
        &["ABLY_*KEY"],
        &["rest.ably.io", "realtime.ably.io", "main.realtime.ably.net"],
    ),
    row("Liveblocks", &["LIVEBLOCKS_*"], &["api.liveblocks.io"]),
];
