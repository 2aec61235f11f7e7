/** Client of the `copilot.v1` protocol: stream call audio, receive typed events, reconnect and resume. */

export * from "./messages.js";
export { decodeFrame, encodeFrame, HEADER_BYTES, type AudioFrame } from "./frames.js";
export { AudioRing, type Stretch } from "./ring.js";
export { Uplink, type CallOptions, type Heard, type Outgoing } from "./uplink.js";
export { Link, type LinkOptions, type LinkState, type LinkStatus, type Refusal, type Socket } from "./link.js";
export { Sequence } from "./sequence.js";
export { CallStream, type CallStreamOptions } from "./stream.js";
export { CallViewer, FloorViewer, type CallViewerOptions, type FloorViewerOptions, type ServerOptions } from "./viewer.js";
export { ApiError, CopilotApi, type ApiOptions, type CallDetails, type CallPage, type CallSummary, type Me, type ServiceStatus } from "./rest.js";
