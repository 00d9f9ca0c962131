// The names of what Sockeye emits and reads, once for all who spell them: spans, their attributes and events, metrics.
// docs/signals.md says what they mean, and is held against the code by a test.
//
// A constant is called as its name is, with _ for each dot.
#pragma once

#include <string_view>

namespace sockeye::model {

// An invocation's span is called as its operation is.
namespace span_name {
inline constexpr std::string_view handshake = "websocket.handshake";
inline constexpr std::string_view connection = "websocket.connection";
inline constexpr std::string_view connection_segment = "websocket.connection.segment";
inline constexpr std::string_view invocation_interim = "websocket.invocation.interim";
inline constexpr std::string_view send = "websocket.send";
inline constexpr std::string_view receive = "websocket.receive";
inline constexpr std::string_view transfer = "websocket.transfer";
}  // namespace span_name

namespace event_name {
inline constexpr std::string_view first_chunk = "first_chunk";
inline constexpr std::string_view chunk_gap = "chunk_gap";
}  // namespace event_name

namespace attribute {
// Of every span of a session.
inline constexpr std::string_view sockeye_dialect = "sockeye.dialect";
inline constexpr std::string_view sockeye_dialect_basis = "sockeye.dialect.basis";
inline constexpr std::string_view sockeye_route = "sockeye.route";
inline constexpr std::string_view sockeye_upstream_address = "sockeye.upstream.address";
inline constexpr std::string_view sockeye_upstream_port = "sockeye.upstream.port";
inline constexpr std::string_view sockeye_vantage = "sockeye.vantage";
inline constexpr std::string_view websocket_extensions = "websocket.extensions";
inline constexpr std::string_view websocket_reconnect_of = "websocket.reconnect_of";
inline constexpr std::string_view websocket_reconnect_of_basis = "websocket.reconnect_of.basis";
inline constexpr std::string_view websocket_session_id = "websocket.session.id";
inline constexpr std::string_view websocket_subprotocol = "websocket.subprotocol";

// Of a connection and its segments.
inline constexpr std::string_view websocket_anomalies = "websocket.anomalies";
inline constexpr std::string_view websocket_application_heartbeat_rtt = "websocket.application_heartbeat.rtt";
inline constexpr std::string_view websocket_bytes_received = "websocket.bytes.received";
inline constexpr std::string_view websocket_bytes_sent = "websocket.bytes.sent";
inline constexpr std::string_view websocket_close_code = "websocket.close.code";
inline constexpr std::string_view websocket_close_initiator = "websocket.close.initiator";
inline constexpr std::string_view websocket_close_reason = "websocket.close.reason";
inline constexpr std::string_view websocket_end_reason = "websocket.end_reason";
inline constexpr std::string_view websocket_invocations = "websocket.invocations";
inline constexpr std::string_view websocket_longest_gap_received = "websocket.longest_gap.received";
inline constexpr std::string_view websocket_longest_gap_sent = "websocket.longest_gap.sent";
inline constexpr std::string_view websocket_messages_received = "websocket.messages.received";
inline constexpr std::string_view websocket_messages_sent = "websocket.messages.sent";
inline constexpr std::string_view websocket_ping_client_late = "websocket.ping.client.late";
inline constexpr std::string_view websocket_ping_client_missed = "websocket.ping.client.missed";
inline constexpr std::string_view websocket_ping_client_rtt = "websocket.ping.client.rtt";
inline constexpr std::string_view websocket_ping_client_rtt_min = "websocket.ping.client.rtt_min";
inline constexpr std::string_view websocket_ping_upstream_late = "websocket.ping.upstream.late";
inline constexpr std::string_view websocket_ping_upstream_missed = "websocket.ping.upstream.missed";
inline constexpr std::string_view websocket_ping_upstream_rtt = "websocket.ping.upstream.rtt";
inline constexpr std::string_view websocket_ping_upstream_rtt_min = "websocket.ping.upstream.rtt_min";
inline constexpr std::string_view websocket_segment_bytes_received = "websocket.segment.bytes.received";
inline constexpr std::string_view websocket_segment_bytes_sent = "websocket.segment.bytes.sent";
inline constexpr std::string_view websocket_segment_index = "websocket.segment.index";
inline constexpr std::string_view websocket_segment_messages_received = "websocket.segment.messages.received";
inline constexpr std::string_view websocket_segment_messages_sent = "websocket.segment.messages.sent";
inline constexpr std::string_view websocket_silent_leg = "websocket.silent.leg";
inline constexpr std::string_view websocket_silent_since = "websocket.silent.since";

// Of an invocation.
inline constexpr std::string_view websocket_chunk_count = "websocket.chunk.count";
inline constexpr std::string_view websocket_chunk_interval = "websocket.chunk.interval";
inline constexpr std::string_view websocket_chunk_interval_max = "websocket.chunk.interval.max";
inline constexpr std::string_view websocket_chunk_interval_mean = "websocket.chunk.interval.mean";
inline constexpr std::string_view websocket_chunk_times = "websocket.chunk.times";
inline constexpr std::string_view websocket_chunk_times_every = "websocket.chunk.times.every";
inline constexpr std::string_view websocket_invocation_cancel_requested = "websocket.invocation.cancel_requested";
inline constexpr std::string_view websocket_invocation_end = "websocket.invocation.end";
inline constexpr std::string_view websocket_invocation_interim_index = "websocket.invocation.interim.index";
inline constexpr std::string_view websocket_invocation_number = "websocket.invocation.number";
inline constexpr std::string_view websocket_invocation_opened_by = "websocket.invocation.opened_by";
inline constexpr std::string_view websocket_invocation_operation = "websocket.invocation.operation";
inline constexpr std::string_view websocket_invocation_parent = "websocket.invocation.parent";
inline constexpr std::string_view websocket_invocation_reply_bytes = "websocket.invocation.reply_bytes";
inline constexpr std::string_view websocket_invocation_request_bytes = "websocket.invocation.request_bytes";
inline constexpr std::string_view websocket_invocation_status = "websocket.invocation.status";
inline constexpr std::string_view websocket_invocation_trigger = "websocket.invocation.trigger";
inline constexpr std::string_view websocket_lane = "websocket.lane";
inline constexpr std::string_view websocket_link = "websocket.link";
inline constexpr std::string_view websocket_link_client = "websocket.link.client";
inline constexpr std::string_view websocket_link_server = "websocket.link.server";
inline constexpr std::string_view websocket_time_to_first_chunk = "websocket.time_to_first_chunk";
inline constexpr std::string_view websocket_time_to_first_chunk_anchor = "websocket.time_to_first_chunk.anchor";
inline constexpr std::string_view websocket_time_to_first_chunk_perceived = "websocket.time_to_first_chunk.perceived";
inline constexpr std::string_view websocket_time_to_last_chunk = "websocket.time_to_last_chunk";

// Of an invocation by lane: keys are literals, so these lanes have some.
inline constexpr std::string_view websocket_lane_audio_chunk_count = "websocket.lane.audio.chunk.count";
inline constexpr std::string_view websocket_lane_audio_time_to_first_chunk = "websocket.lane.audio.time_to_first_chunk";
inline constexpr std::string_view websocket_lane_text_chunk_count = "websocket.lane.text.chunk.count";
inline constexpr std::string_view websocket_lane_text_time_to_first_chunk = "websocket.lane.text.time_to_first_chunk";
inline constexpr std::string_view websocket_lane_tool_chunk_count = "websocket.lane.tool.chunk.count";
inline constexpr std::string_view websocket_lane_tool_time_to_first_chunk = "websocket.lane.tool.time_to_first_chunk";
inline constexpr std::string_view websocket_lane_transcript_chunk_count = "websocket.lane.transcript.chunk.count";
inline constexpr std::string_view websocket_lane_transcript_time_to_first_chunk =
    "websocket.lane.transcript.time_to_first_chunk";
inline constexpr std::string_view websocket_lane_video_chunk_count = "websocket.lane.video.chunk.count";
inline constexpr std::string_view websocket_lane_video_time_to_first_chunk = "websocket.lane.video.time_to_first_chunk";

// Of single messages and transfers.
inline constexpr std::string_view websocket_message_compressed = "websocket.message.compressed";
inline constexpr std::string_view websocket_message_direction = "websocket.message.direction";
inline constexpr std::string_view websocket_message_frames = "websocket.message.frames";
inline constexpr std::string_view websocket_message_length = "websocket.message.length";
inline constexpr std::string_view websocket_message_number = "websocket.message.number";
inline constexpr std::string_view websocket_message_type = "websocket.message.type";
inline constexpr std::string_view websocket_transfer_bytes = "websocket.transfer.bytes";
inline constexpr std::string_view websocket_transfer_direction = "websocket.transfer.direction";
inline constexpr std::string_view websocket_transfer_longest_gap = "websocket.transfer.longest_gap";
inline constexpr std::string_view websocket_transfer_messages = "websocket.transfer.messages";
inline constexpr std::string_view websocket_transfer_name = "websocket.transfer.name";

// OpenTelemetry's for generative AI, and what its earlier versions called them.
inline constexpr std::string_view gen_ai_agent_id = "gen_ai.agent.id";
inline constexpr std::string_view gen_ai_agent_name = "gen_ai.agent.name";
inline constexpr std::string_view gen_ai_conversation_id = "gen_ai.conversation.id";
inline constexpr std::string_view gen_ai_operation_name = "gen_ai.operation.name";
inline constexpr std::string_view gen_ai_output_type = "gen_ai.output.type";
inline constexpr std::string_view gen_ai_provider_name = "gen_ai.provider.name";
inline constexpr std::string_view gen_ai_request_max_tokens = "gen_ai.request.max_tokens";
inline constexpr std::string_view gen_ai_request_model = "gen_ai.request.model";
inline constexpr std::string_view gen_ai_request_temperature = "gen_ai.request.temperature";
inline constexpr std::string_view gen_ai_request_top_p = "gen_ai.request.top_p";
inline constexpr std::string_view gen_ai_response_finish_reasons = "gen_ai.response.finish_reasons";
inline constexpr std::string_view gen_ai_response_id = "gen_ai.response.id";
inline constexpr std::string_view gen_ai_response_model = "gen_ai.response.model";
inline constexpr std::string_view gen_ai_system = "gen_ai.system";
inline constexpr std::string_view gen_ai_tool_call_id = "gen_ai.tool.call.id";
inline constexpr std::string_view gen_ai_tool_name = "gen_ai.tool.name";
inline constexpr std::string_view gen_ai_tool_type = "gen_ai.tool.type";
inline constexpr std::string_view gen_ai_usage_completion_tokens = "gen_ai.usage.completion_tokens";
inline constexpr std::string_view gen_ai_usage_input_tokens = "gen_ai.usage.input_tokens";
inline constexpr std::string_view gen_ai_usage_output_tokens = "gen_ai.usage.output_tokens";
inline constexpr std::string_view gen_ai_usage_prompt_tokens = "gen_ai.usage.prompt_tokens";

// OpenTelemetry's general ones, of spans and of resources.
inline constexpr std::string_view client_address = "client.address";
inline constexpr std::string_view client_port = "client.port";
inline constexpr std::string_view error_type = "error.type";
inline constexpr std::string_view host_name = "host.name";
inline constexpr std::string_view http_request_method = "http.request.method";
inline constexpr std::string_view http_response_status_code = "http.response.status_code";
inline constexpr std::string_view network_protocol_name = "network.protocol.name";
inline constexpr std::string_view server_address = "server.address";
inline constexpr std::string_view server_port = "server.port";
inline constexpr std::string_view service_instance_id = "service.instance.id";
inline constexpr std::string_view service_name = "service.name";
inline constexpr std::string_view service_version = "service.version";
inline constexpr std::string_view telemetry_sdk_language = "telemetry.sdk.language";
inline constexpr std::string_view telemetry_sdk_name = "telemetry.sdk.name";
inline constexpr std::string_view telemetry_sdk_version = "telemetry.sdk.version";
inline constexpr std::string_view url_path = "url.path";
inline constexpr std::string_view url_query = "url.query";
inline constexpr std::string_view url_scheme = "url.scheme";
inline constexpr std::string_view user_agent_original = "user_agent.original";

// What OpenTelemetry keeps beside attributes, by the names it gives them where there are only attributes
// (opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp), and Jaeger's for the name of an event.
inline constexpr std::string_view event = "event";
inline constexpr std::string_view otel_dropped_attributes_count = "otel.dropped_attributes_count";
inline constexpr std::string_view otel_dropped_events_count = "otel.dropped_events_count";
inline constexpr std::string_view otel_dropped_links_count = "otel.dropped_links_count";
inline constexpr std::string_view otel_scope_name = "otel.scope.name";
inline constexpr std::string_view otel_scope_version = "otel.scope.version";
inline constexpr std::string_view otel_status_code = "otel.status_code";
inline constexpr std::string_view otel_status_description = "otel.status_description";
inline constexpr std::string_view w3c_tracestate = "w3c.tracestate";

// signals.compat: seed
namespace seed {
inline constexpr std::string_view chunk_count = "websocket.chunk_count";
inline constexpr std::string_view time_per_output_chunk_ms = "websocket.time_per_output_chunk_ms";
inline constexpr std::string_view time_to_first_chunk_ms = "websocket.time_to_first_chunk_ms";
}  // namespace seed
}  // namespace attribute

namespace metric {
// Of routes.
inline constexpr std::string_view gen_ai_client_token_usage = "gen_ai_client_token_usage";
inline constexpr std::string_view sockeye_dialect_errors_total = "sockeye_dialect_errors_total";
inline constexpr std::string_view sockeye_http_requests_total = "sockeye_http_requests_total";
inline constexpr std::string_view websocket_anomalies_total = "websocket_anomalies_total";
inline constexpr std::string_view websocket_application_heartbeats_total = "websocket_application_heartbeats_total";
inline constexpr std::string_view websocket_buffered_amount_bytes = "websocket_buffered_amount_bytes";
inline constexpr std::string_view websocket_buffered_sessions = "websocket_buffered_sessions";
inline constexpr std::string_view websocket_chunk_interval_seconds = "websocket_chunk_interval_seconds";
inline constexpr std::string_view websocket_closes_total = "websocket_closes_total";
inline constexpr std::string_view websocket_connections_active = "websocket_connections_active";
inline constexpr std::string_view websocket_connections_total = "websocket_connections_total";
inline constexpr std::string_view websocket_handshake_duration_seconds = "websocket_handshake_duration_seconds";
inline constexpr std::string_view websocket_heartbeat_timeouts_total = "websocket_heartbeat_timeouts_total";
inline constexpr std::string_view websocket_invocation_duration_seconds = "websocket_invocation_duration_seconds";
inline constexpr std::string_view websocket_invocations_active = "websocket_invocations_active";
inline constexpr std::string_view websocket_invocations_total = "websocket_invocations_total";
inline constexpr std::string_view websocket_media_bytes_total = "websocket_media_bytes_total";
inline constexpr std::string_view websocket_media_messages_total = "websocket_media_messages_total";
inline constexpr std::string_view websocket_message_bytes_total = "websocket_message_bytes_total";
inline constexpr std::string_view websocket_message_duration_seconds = "websocket_message_duration_seconds";
inline constexpr std::string_view websocket_message_size_bytes = "websocket_message_size_bytes";
inline constexpr std::string_view websocket_messages_total = "websocket_messages_total";
inline constexpr std::string_view websocket_ping_rtt_seconds = "websocket_ping_rtt_seconds";
inline constexpr std::string_view websocket_pong_late_total = "websocket_pong_late_total";
inline constexpr std::string_view websocket_pong_missed_total = "websocket_pong_missed_total";
inline constexpr std::string_view websocket_reconnects_total = "websocket_reconnects_total";
inline constexpr std::string_view websocket_session_duration_seconds = "websocket_session_duration_seconds";
inline constexpr std::string_view websocket_time_to_first_chunk_seconds = "websocket_time_to_first_chunk_seconds";
inline constexpr std::string_view websocket_time_to_last_chunk_seconds = "websocket_time_to_last_chunk_seconds";

// Of the exporter.
inline constexpr std::string_view sockeye_collector_away = "sockeye_collector_away";
inline constexpr std::string_view sockeye_export_errors_total = "sockeye_export_errors_total";
inline constexpr std::string_view sockeye_queue_length = "sockeye_queue_length";
inline constexpr std::string_view sockeye_spans_dropped_total = "sockeye_spans_dropped_total";
inline constexpr std::string_view sockeye_spans_exported_total = "sockeye_spans_exported_total";
inline constexpr std::string_view sockeye_spans_received_total = "sockeye_spans_received_total";
inline constexpr std::string_view sockeye_spans_resent_total = "sockeye_spans_resent_total";
inline constexpr std::string_view sockeye_spool_bytes = "sockeye_spool_bytes";
inline constexpr std::string_view sockeye_spool_spans = "sockeye_spool_spans";

// Of a vantage as a whole.
inline constexpr std::string_view sockeye_loop_lag_seconds = "sockeye_loop_lag_seconds";
inline constexpr std::string_view sockeye_observation_bytes = "sockeye_observation_bytes";
inline constexpr std::string_view sockeye_observation_limit_bytes = "sockeye_observation_limit_bytes";
inline constexpr std::string_view sockeye_overload_level = "sockeye_overload_level";
inline constexpr std::string_view sockeye_shed_total = "sockeye_shed_total";

// Of the process, as Prometheus has them.
inline constexpr std::string_view process_cpu_seconds_total = "process_cpu_seconds_total";
inline constexpr std::string_view process_max_fds = "process_max_fds";
inline constexpr std::string_view process_open_fds = "process_open_fds";
inline constexpr std::string_view process_resident_memory_bytes = "process_resident_memory_bytes";
inline constexpr std::string_view process_start_time_seconds = "process_start_time_seconds";
inline constexpr std::string_view process_threads = "process_threads";
inline constexpr std::string_view process_virtual_memory_bytes = "process_virtual_memory_bytes";
inline constexpr std::string_view sockeye_build_info = "sockeye_build_info";
}  // namespace metric

}  // namespace sockeye::model
