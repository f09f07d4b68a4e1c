//! Vendors of models of language, pictures and speech, and what watches or feeds them.

use super::{Implied, row};

pub(super) const ROWS: &[Implied] = &[
    row(
        "OpenAI",
        &["OPENAI_*KEY", "OPENAI_*TOKEN"],
        &["api.openai.com"],
    )
    .or_value(&["sk-proj-"])
    .unless(&["OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_API_BASE_URL"]),
    row(
        "Azure OpenAI",
        &["AZURE_OPENAI_RESOURCE_NAME"],
        &["{value}.openai.azure.com"],
    ),
    row(
        "Anthropic",
        &[
            "ANTHROPIC_*KEY",
            "ANTHROPIC_AUTH_TOKEN",
            "CLAUDE_*KEY",
            "CLAUDE_CODE_*TOKEN",
        ],
        &["api.anthropic.com"],
    )
    .or_value(&["sk-ant-"])
    .unless(&["ANTHROPIC_BASE_URL", "ANTHROPIC_API_URL"]),
    row(
        "Google Gemini",
        &[
            "GEMINI_*KEY",
            "GOOGLE_API_KEY",
            "GOOGLE_GENAI_API_KEY",
            "GOOGLE_GENERATIVE_AI_API_KEY",
        ],
        &["generativelanguage.googleapis.com"],
    ),
    row("Mistral", &["MISTRAL_*KEY"], &["api.mistral.ai"]),
    row(
        "Cohere",
        &["COHERE_*KEY", "CO_API_KEY"],
        &["api.cohere.com"],
    ),
    row("Groq", &["GROQ_*KEY"], &["api.groq.com"]).or_value(&["gsk_"]),
    row(
        "Together AI",
        &["TOGETHER_*KEY", "TOGETHERAI_*KEY"],
        &["api.together.ai", "api.together.xyz"],
    ),
    row("OpenRouter", &["OPENROUTER_*KEY"], &["openrouter.ai"]).or_value(&["sk-or-"]),
    row("DeepSeek", &["DEEPSEEK_*KEY"], &["api.deepseek.com"]),
    row("xAI", &["XAI_*KEY", "GROK_*KEY"], &["api.x.ai"]).or_value(&["xai-"]),
    row(
        "Perplexity",
        &["PERPLEXITY_*KEY", "PPLX_*KEY"],
        &["api.perplexity.ai"],
    )
    .or_value(&["pplx-"]),
    row("Fireworks AI", &["FIREWORKS_*KEY"], &["api.fireworks.ai"]),
    row("Cerebras", &["CEREBRAS_*KEY"], &["api.cerebras.ai"]),
    row(
        "NVIDIA",
        &["NVIDIA_*KEY", "NIM_API_KEY"],
        &["integrate.api.nvidia.com"],
    )
    .or_value(&["nvapi-"]),
    row("AI21", &["AI21_*KEY"], &["api.ai21.com"]),
    row(
        "Moonshot",
        &["MOONSHOT_*KEY"],
        &["api.moonshot.ai", "api.moonshot.cn"],
    ),
    row(
        "DashScope",
        &["DASHSCOPE_*KEY"],
        &["dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"],
    ),
    row(
        "Hugging Face",
        &[
            "HF_TOKEN",
            "HF_API_*",
            "HUGGINGFACE_*",
            "HUGGING_FACE_*",
            "HUGGINGFACEHUB_*",
        ],
        &["huggingface.co", "router.huggingface.co"],
    )
    .or_value(&["hf_"])
    .unless(&["HF_ENDPOINT"]),
    row(
        "Replicate",
        &["REPLICATE_*"],
        &["api.replicate.com", "replicate.delivery"],
    )
    .or_value(&["r8_"]),
    row(
        "fal",
        &["FAL_KEY", "FAL_API_KEY"],
        &["fal.run", "queue.fal.run"],
    ),
    row("Stability AI", &["STABILITY_*KEY"], &["api.stability.ai"]),
    row(
        "Voyage AI",
        &["VOYAGE_*KEY", "VOYAGEAI_*KEY"],
        &["api.voyageai.com"],
    ),
    row(
        "Jina AI",
        &["JINA_*KEY"],
        &["api.jina.ai", "r.jina.ai", "s.jina.ai"],
    ),
    row(
        "ElevenLabs",
        &[
            "ELEVENLABS_*KEY",
            "ELEVEN_LABS_*KEY",
            "ELEVEN_API_KEY",
            "XI_API_KEY",
        ],
        &["api.elevenlabs.io"],
    ),
    row("Deepgram", &["DEEPGRAM_*KEY"], &["api.deepgram.com"]),
    row(
        "AssemblyAI",
        &["ASSEMBLYAI_*KEY", "ASSEMBLY_AI_*KEY"],
        &["api.assemblyai.com", "streaming.assemblyai.com"],
    ),
    row("Cartesia", &["CARTESIA_*KEY"], &["api.cartesia.ai"]),
    row(
        "DeepL",
        &["DEEPL_*KEY"],
        &["api.deepl.com", "api-free.deepl.com"],
    ),
    row("Tavily", &["TAVILY_*KEY"], &["api.tavily.com"]).or_value(&["tvly-"]),
    row(
        "SerpApi",
        &["SERPAPI_*KEY", "SERP_API_KEY"],
        &["serpapi.com"],
    ),
    row("Serper", &["SERPER_*KEY"], &["google.serper.dev"]),
    row("Exa", &["EXA_API_KEY"], &["api.exa.ai"]),
    row("Firecrawl", &["FIRECRAWL_*KEY"], &["api.firecrawl.dev"]).unless(&["FIRECRAWL_API_URL"]),
    row("Brave Search", &["BRAVE_*KEY"], &["api.search.brave.com"]),
    row(
        "LangSmith",
        &["LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"],
        &["api.smith.langchain.com"],
    )
    .or_value(&["lsv2_"])
    .unless(&["LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT"]),
    row(
        "Langfuse",
        &["LANGFUSE_*KEY"],
        &["cloud.langfuse.com", "us.cloud.langfuse.com"],
    )
    .unless(&["LANGFUSE_HOST", "LANGFUSE_BASE_URL", "LANGFUSE_BASEURL"]),
    row(
        "LlamaCloud",
        &["LLAMA_CLOUD_API_KEY", "LLAMA_PARSE_API_KEY"],
        &["api.cloud.llamaindex.ai"],
    )
    .or_value(&["llx-"]),
    row("Weights & Biases", &["WANDB_API_KEY"], &["api.wandb.ai"]).unless(&["WANDB_BASE_URL"]),
];
