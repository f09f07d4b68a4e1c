//! Vendors of search, databases, content, maps.

use super::{Implied, row};

pub(super) const ROWS: &[Implied] = &[
    row(
        "Algolia",
        &["ALGOLIA_*APP_ID", "ALGOLIA_APPLICATION_ID", "ALGOLIA_ID"],
        &[
            "{value}-dsn.algolia.net",
            "{value}.algolia.net",
            "{value}-1.algolianet.com",
            "{value}-2.algolianet.com",
            "{value}-3.algolianet.com",
        ],
    ),
    row("Pinecone", &["PINECONE_*KEY"], &["api.pinecone.io"]).or_value(&["pcsk_"]),
    row(
        "Pinecone",
        &["PINECONE_HOST", "PINECONE_INDEX_HOST"],
        &["{host}"],
    ),
    row(
        "Weaviate Cloud",
        &[
            "WEAVIATE_HOST",
            "WEAVIATE_CLUSTER_URL",
            "WCD_URL",
            "WCS_URL",
        ],
        &["{host}"],
    ),
    row(
        "Snowflake",
        &["SNOWFLAKE_ACCOUNT"],
        &["{value}.snowflakecomputing.com"],
    )
    .unless(&["SNOWFLAKE_HOST"]),
    row(
        "Contentful",
        &["CONTENTFUL_*"],
        &[
            "cdn.contentful.com",
            "preview.contentful.com",
            "api.contentful.com",
            "graphql.contentful.com",
        ],
    ),
    row(
        "Sanity",
        &["SANITY_*PROJECT_ID"],
        &[
            "{value}.api.sanity.io",
            "{value}.apicdn.sanity.io",
            "cdn.sanity.io",
        ],
    ),
    row("Mapbox", &["MAPBOX_*"], &["api.mapbox.com"]),
    row(
        "Google Maps",
        &["GOOGLE_MAPS_*KEY", "GMAPS_*KEY", "GOOGLE_PLACES_*KEY"],
        &[
            "maps.googleapis.com",
            "places.googleapis.com",
            "routes.googleapis.com",
        ],
    ),
    row(
        "OpenWeather",
        &["OPENWEATHER_*KEY", "OPENWEATHERMAP_*KEY"],
        &["api.openweathermap.org"],
    ),
];
