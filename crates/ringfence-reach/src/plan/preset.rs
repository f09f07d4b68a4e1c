//! Lists of hosts under one name, for the manifest's `[egress]`: `"preset:npm"` stands for what npm's client asks.
//!
//! ```
//! use ringfence_reach::plan::preset::preset;
//! let npm = preset("npm").ok_or("no preset")?;
//! assert_eq!(npm.hosts, [("registry.npmjs.org", 443)]);
//! # Ok::<(), &str>(())
//! ```
//!
//! What always holds: every host is exact; where a vendor documents a wildcard, what it stands for is left out, and `what` says so.

/// Hosts under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// What the manifest calls it: small letters, digits and hyphens.
    pub name: &'static str,
    /// What works with it, as part of a sentence.
    pub what: &'static str,
    /// Names of DNS and TCP ports.
    pub hosts: &'static [(&'static str, u16)],
}

const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// The preset of that name.
#[must_use]
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// All presets, by their names.
pub const PRESETS: &[Preset] = &[
    // Claude Code's documentation, "Network access requirements".
    Preset {
        name: "anthropic",
        what: "Anthropic's API, and signing in to it from Claude Code",
        hosts: &[
            ("api.anthropic.com", HTTPS),
            ("claude.ai", HTTPS),
            ("platform.claude.com", HTTPS),
        ],
    },
    // conda's configuration of default channels; docs of conda-forge.
    Preset {
        name: "conda",
        what: "the channels `defaults` and `conda-forge`",
        hosts: &[("repo.anaconda.com", HTTPS), ("conda.anaconda.org", HTTPS)],
    },
    // The Cargo Book, "Registries": the sparse index and its `config.json`; rustup's documentation, `RUSTUP_DIST_SERVER`.
    Preset {
        name: "crates",
        what: "crates.io and Rust's toolchains",
        hosts: &[
            ("index.crates.io", HTTPS),
            ("static.crates.io", HTTPS),
            ("crates.io", HTTPS),
            ("static.rust-lang.org", HTTPS),
        ],
    },
    // Cursor's documentation, "Network Configuration", which lists wildcards; the hosts are those that it names one by one.
    Preset {
        name: "cursor",
        what: "Cursor's models and sign-in; other hosts of `*.cursor.sh`, `*.cursor-cdn.com` and `*.cursorapi.com` are left out",
        hosts: &[
            ("api2.cursor.sh", HTTPS),
            ("api3.cursor.sh", HTTPS),
            ("api4.cursor.sh", HTTPS),
            ("api5.cursor.sh", HTTPS),
            ("repo42.cursor.sh", HTTPS),
            ("authenticate.cursor.sh", HTTPS),
            ("authenticator.cursor.sh", HTTPS),
            ("marketplace.cursorapi.com", HTTPS),
            ("cursor-cdn.com", HTTPS),
            ("downloads.cursor.com", HTTPS),
        ],
    },
    // The `sources.list` that Debian installs.
    Preset {
        name: "debian",
        what: "apt on Debian",
        hosts: &[
            ("deb.debian.org", HTTP),
            ("deb.debian.org", HTTPS),
            ("security.debian.org", HTTP),
            ("security.debian.org", HTTPS),
        ],
    },
    // Docker's documentation, "Allowlist for Docker Desktop".
    Preset {
        name: "docker",
        what: "pulling and pushing images of Docker Hub",
        hosts: &[
            ("registry-1.docker.io", HTTPS),
            ("auth.docker.io", HTTPS),
            ("hub.docker.com", HTTPS),
            ("login.docker.com", HTTPS),
            ("production.cloudflare.docker.com", HTTPS),
            (
                "docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com",
                HTTPS,
            ),
        ],
    },
    // Google's documentation of the Gemini API; `gemini` signs in by Google's OAuth and asks Code Assist.
    Preset {
        name: "gemini",
        what: "the Gemini API, and signing in to it from Gemini CLI",
        hosts: &[
            ("generativelanguage.googleapis.com", HTTPS),
            ("cloudcode-pa.googleapis.com", HTTPS),
            ("oauth2.googleapis.com", HTTPS),
            ("accounts.google.com", HTTPS),
            ("www.googleapis.com", HTTPS),
        ],
    },
    // GitHub's documentation, "About self-hosted runners", and where releases and raw files lie.
    Preset {
        name: "github",
        what: "GitHub's git over HTTPS and SSH, its API, releases and packages",
        hosts: &[
            ("github.com", HTTPS),
            ("github.com", 22),
            ("api.github.com", HTTPS),
            ("uploads.github.com", HTTPS),
            ("codeload.github.com", HTTPS),
            ("raw.githubusercontent.com", HTTPS),
            ("objects.githubusercontent.com", HTTPS),
            ("release-assets.githubusercontent.com", HTTPS),
            ("github-releases.githubusercontent.com", HTTPS),
            ("github-cloud.githubusercontent.com", HTTPS),
            ("github-cloud.s3.amazonaws.com", HTTPS),
            ("ghcr.io", HTTPS),
            ("pkg-containers.githubusercontent.com", HTTPS),
            ("npm.pkg.github.com", HTTPS),
        ],
    },
    // GitLab's documentation, "GitLab.com settings".
    Preset {
        name: "gitlab",
        what: "gitlab.com's git over HTTPS and SSH, its API and container registry",
        hosts: &[
            ("gitlab.com", HTTPS),
            ("gitlab.com", 22),
            ("registry.gitlab.com", HTTPS),
            ("cdn.registry.gitlab-static.net", HTTPS),
        ],
    },
    // `go help environment`: the defaults of GOPROXY and GOSUMDB; the proxy sends on to Google's storage for what is large.
    Preset {
        name: "go",
        what: "Go's modules and toolchains; `storage.googleapis.com`, where they lie, is everybody's",
        hosts: &[
            ("proxy.golang.org", HTTPS),
            ("sum.golang.org", HTTPS),
            ("storage.googleapis.com", HTTPS),
            ("go.dev", HTTPS),
            ("dl.google.com", HTTPS),
        ],
    },
    // Hugging Face's client: the hub, and where it sends downloads to.
    Preset {
        name: "huggingface",
        what: "models and data sets of Hugging Face, and its inference",
        hosts: &[
            ("huggingface.co", HTTPS),
            ("router.huggingface.co", HTTPS),
            ("cdn-lfs.huggingface.co", HTTPS),
            ("cdn-lfs.hf.co", HTTPS),
            ("cdn-lfs-us-1.hf.co", HTTPS),
            ("cdn-lfs-eu-1.hf.co", HTTPS),
            ("cas-bridge.xethub.hf.co", HTTPS),
            ("cas-server.xethub.hf.co", HTTPS),
            ("transfer.xethub.hf.co", HTTPS),
            ("us.aws.cdn.hf.co", HTTPS),
            ("us.gcp.cdn.hf.co", HTTPS),
        ],
    },
    // Maven's super POM, and what Gradle's `mavenCentral()`, `gradlePluginPortal()`, `google()` and its wrapper ask.
    Preset {
        name: "maven",
        what: "Maven Central, Gradle and its plugins, Google's Maven repository",
        hosts: &[
            ("repo.maven.apache.org", HTTPS),
            ("repo1.maven.org", HTTPS),
            ("plugins.gradle.org", HTTPS),
            ("plugins-artifacts.gradle.org", HTTPS),
            ("services.gradle.org", HTTPS),
            ("downloads.gradle.org", HTTPS),
            ("dl.google.com", HTTPS),
            ("maven.google.com", HTTPS),
        ],
    },
    // Node's release page; node-gyp's headers and nvm's default mirror lie there too.
    Preset {
        name: "node",
        what: "Node's own releases and headers",
        hosts: &[("nodejs.org", HTTPS)],
    },
    // npm's documentation, `registry`; Yarn's name for the same registry is in `yarn`'s old lock files.
    Preset {
        name: "npm",
        what: "npm's registry",
        hosts: &[("registry.npmjs.org", HTTPS)],
    },
    // Microsoft's documentation, "nuget.org URLs".
    Preset {
        name: "nuget",
        what: "nuget.org",
        hosts: &[
            ("api.nuget.org", HTTPS),
            ("www.nuget.org", HTTPS),
            ("globalcdn.nuget.org", HTTPS),
        ],
    },
    // OpenAI's API reference; `codex` signs in and talks to the last two.
    Preset {
        name: "openai",
        what: "OpenAI's API, and signing in to it from Codex",
        hosts: &[
            ("api.openai.com", HTTPS),
            ("auth.openai.com", HTTPS),
            ("chatgpt.com", HTTPS),
        ],
    },
    // Composer's documentation, "Repositories"; archives mostly lie with GitHub: see that preset.
    Preset {
        name: "packagist",
        what: "Composer's index and itself; archives mostly need the preset `github` too",
        hosts: &[
            ("repo.packagist.org", HTTPS),
            ("packagist.org", HTTPS),
            ("getcomposer.org", HTTPS),
        ],
    },
    // Playwright's `registry/index.ts`: the mirrors of its browsers.
    Preset {
        name: "playwright",
        what: "the browsers that Playwright downloads",
        hosts: &[
            ("cdn.playwright.dev", HTTPS),
            ("playwright.download.prss.microsoft.com", HTTPS),
        ],
    },
    // PyPI's documentation, "Index API".
    Preset {
        name: "pypi",
        what: "Python packages",
        hosts: &[("pypi.org", HTTPS), ("files.pythonhosted.org", HTTPS)],
    },
    // RubyGems' guides; `index.rubygems.org` is the compact index of older clients.
    Preset {
        name: "rubygems",
        what: "Ruby gems",
        hosts: &[("rubygems.org", HTTPS), ("index.rubygems.org", HTTPS)],
    },
    // The `ubuntu.sources` that Ubuntu installs; `ports` has the architectures other than Intel's.
    Preset {
        name: "ubuntu",
        what: "apt on Ubuntu",
        hosts: &[
            ("archive.ubuntu.com", HTTP),
            ("archive.ubuntu.com", HTTPS),
            ("security.ubuntu.com", HTTP),
            ("security.ubuntu.com", HTTPS),
            ("ports.ubuntu.com", HTTP),
            ("ports.ubuntu.com", HTTPS),
        ],
    },
    // Visual Studio Code's documentation, "Network Connections", "Common hostnames".
    Preset {
        name: "vscode",
        what: "Visual Studio Code's updates and marketplace; a publisher's own host of `*.gallery.vsassets.io` and \
               `*.gallerycdn.vsassets.io` is left out",
        hosts: &[
            ("update.code.visualstudio.com", HTTPS),
            ("code.visualstudio.com", HTTPS),
            ("go.microsoft.com", HTTPS),
            ("marketplace.visualstudio.com", HTTPS),
            ("vscode.download.prss.microsoft.com", HTTPS),
            ("download.visualstudio.microsoft.com", HTTPS),
            ("vscode-sync.trafficmanager.net", HTTPS),
            ("vscode.dev", HTTPS),
            ("main.vscode-cdn.net", HTTPS),
            ("raw.githubusercontent.com", HTTPS),
        ],
    },
];

#[cfg(test)]
mod tests {
    use ringfence_model::value::endpoint::is_host_name;

    use super::*;

    #[test]
    fn every_host_is_exact_and_named_once() {
        for preset in PRESETS {
            let small = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            assert!(preset.name.bytes().all(small), "{}", preset.name);
            assert!(!preset.hosts.is_empty() && !preset.what.contains('|'));
            for (at, host) in preset.hosts.iter().enumerate() {
                let (name, port) = *host;
                assert!(is_host_name(name) && name.contains('.'), "{name}");
                assert_eq!(name, name.to_ascii_lowercase());
                assert!([HTTP, HTTPS, 22].contains(&port), "{name}");
                assert!(!preset.hosts[..at].contains(host), "{name} twice");
            }
        }
    }

    #[test]
    fn names_are_sorted_and_found() {
        assert!(PRESETS.is_sorted_by(|one, other| one.name < other.name));
        assert_eq!(preset("pypi").map(|preset| preset.hosts.len()), Some(2));
        assert_eq!(preset("PyPI"), None);
    }
}
