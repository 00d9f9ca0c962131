# Who may link whom: the table of docs/architecture.md, checked at configure time by sockeye_library().
# Only project modules are listed; third-party libraries must be linked PRIVATE everywhere.
set(SOCKEYE_LAYER_base "")
set(SOCKEYE_LAYER_model "base")
set(SOCKEYE_LAYER_wire "base;model")
set(SOCKEYE_LAYER_session "base;model")
set(SOCKEYE_LAYER_dialect "base;model")
set(SOCKEYE_LAYER_signal "base;model")
set(SOCKEYE_LAYER_observer "base;model;wire;session;dialect;signal")
set(SOCKEYE_LAYER_proxy "base;model;wire;observer")
set(SOCKEYE_LAYER_pipeline "base;model")
set(SOCKEYE_LAYER_otlp "base;model;pipeline")
set(SOCKEYE_LAYER_prometheus "base;model")
set(SOCKEYE_LAYER_config "base;model;dialect;observer;proxy;pipeline;otlp")
