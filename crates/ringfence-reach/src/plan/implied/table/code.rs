//! Vendors of hosts of code and of the work on it.

use super::{Implied, row};

pub(super) const ROWS: &[Implied] = &[
    row(
        "GitHub",
        &[
            "GITHUB_*TOKEN",
            "GH_TOKEN",
            "GITHUB_PAT",
            "GITHUB_CLIENT_*",
            "GITHUB_APP_*",
            "GITHUB_ID",
            "GITHUB_SECRET",
            "AUTH_GITHUB_*",
        ],
        &["api.github.com", "github.com", "uploads.github.com"],
    )
    .or_value(&["ghp_", "github_pat_"]),
    row(
        "GitLab",
        &["GITLAB_*TOKEN", "GITLAB_CLIENT_*"],
        &["gitlab.com"],
    )
    .or_value(&["glpat-"])
    .unless(&["GITLAB_URL", "GITLAB_HOST", "GITLAB_BASE_URL"]),
    row(
        "Bitbucket",
        &["BITBUCKET_*TOKEN", "BITBUCKET_*PASSWORD"],
        &["api.bitbucket.org", "bitbucket.org"],
    ),
    row(
        "npm",
        &["NPM_TOKEN", "NPM_AUTH_TOKEN"],
        &["registry.npmjs.org"],
    )
    .or_value(&["npm_"]),
    row(
        "Linear",
        &["LINEAR_*KEY", "LINEAR_*TOKEN"],
        &["api.linear.app"],
    )
    .or_value(&["lin_api_"]),
    row("Notion", &["NOTION_*"], &["api.notion.com"]).or_value(&["ntn_"]),
    row(
        "Airtable",
        &["AIRTABLE_*"],
        &["api.airtable.com", "content.airtable.com"],
    ),
    row("Asana", &["ASANA_*TOKEN"], &["app.asana.com"]),
    row(
        "Trello",
        &["TRELLO_*KEY", "TRELLO_*TOKEN"],
        &["api.trello.com"],
    ),
    row("Figma", &["FIGMA_*TOKEN"], &["api.figma.com"]).or_value(&["figd_"]),
];
