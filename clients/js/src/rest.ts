/** The REST half of the service. Every failure is an `ApiError` with the server's stable code. */

import type { CallMessage, CallOutcome } from "./messages.js";

export interface CallSummary {
  call_id: string;
  external_id: string;
  rep_id: string;
  customer_ref: string;
  campaign: string;
  direction: string;
  language: string;
  playbook_id: string;
  started_at: string;
  ended_at: string | null;
  state: "live" | "ended" | string;
  reason: string;
  duration_ms: number;
  summary: Record<string, unknown>;
  /** What became of it, empty if nobody has said. */
  outcome: CallOutcome | "";
}

export interface CallDetails extends CallSummary {
  /** What may be said to have become of it. */
  outcomes: CallOutcome[];
}

export interface CallPage {
  calls: CallSummary[];
  next_cursor: string | null;
}

export interface Me {
  role: "rep" | "supervisor" | "ingest" | "admin";
  subject: string;
  /** The server asks for tokens. */
  auth: boolean;
  /** May watch all live calls. */
  floor?: boolean;
}

export interface ServiceStatus {
  version: string;
  calls: number;
  max_calls: number;
  /** What calls do without for now, see `service.degraded`. */
  overload?: string[];
  draining: boolean;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string = "",
  ) {
    super(message);
  }
}

export interface ApiOptions {
  baseUrl?: string;
  token?: () => string | undefined;
  fetch?: typeof globalThis.fetch;
}

export class CopilotApi {
  constructor(private readonly options: ApiOptions = {}) {}

  me(): Promise<Me> {
    return this.ask("/v1/me");
  }

  service(): Promise<ServiceStatus> {
    return this.ask("/v1/service");
  }

  calls(query: { state?: string; rep_id?: string; limit?: number; cursor?: string } = {}): Promise<CallPage> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
    return this.ask(`/v1/calls?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`);
  }

  call(callId: string): Promise<CallDetails> {
    return this.ask(this.path(callId));
  }

  /** Say what became of a call; an empty outcome takes it back. */
  judge(callId: string, outcome: CallOutcome | ""): Promise<CallSummary> {
    return this.ask(this.path(callId), { method: "PATCH", body: JSON.stringify({ outcome }) });
  }

  report<T = Record<string, unknown>>(callId: string): Promise<T> {
    return this.ask(this.path(callId, "report"));
  }

  /** All events of a call, however many answers the server splits them into. */
  async events(callId: string, after = 0): Promise<CallMessage[]> {
    const events: CallMessage[] = [];
    for (;;) {
      const page = await this.ask<CallMessage[]>(this.path(callId, `events-log?after=${after}`));
      events.push(...page);
      const last = page.at(-1);
      if (!last || last.type === "call.ended") return events;
      after = last.seq;
    }
  }

  /** Names a call may ask for. */
  async playbooks(): Promise<string[]> {
    return (await this.ask<{ playbooks: string[] }>("/v1/playbooks")).playbooks;
  }

  audioUrl(callId: string): string {
    return `${this.options.baseUrl ?? ""}${this.path(callId, "audio")}`;
  }

  reportUrl(callId: string, language: string): string {
    return `${this.options.baseUrl ?? ""}${this.path(callId, `report.html?lang=${language}`)}`;
  }

  /** A file of the service, with the token that a plain link could not carry. */
  async blob(url: string): Promise<Blob> {
    return (await this.fetch(url)).blob();
  }

  private path(callId: string, rest = ""): string {
    return `/v1/calls/${encodeURIComponent(callId)}${rest && `/${rest}`}`;
  }

  private async ask<T>(path: string, how: RequestInit = {}): Promise<T> {
    return (await this.fetch(`${this.options.baseUrl ?? ""}${path}`, how)).json() as Promise<T>;
  }

  private async fetch(url: string, how: RequestInit = {}): Promise<Response> {
    const token = this.options.token?.();
    const send = this.options.fetch ?? globalThis.fetch;
    const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
    const response = await send(url, { ...how, headers }).catch(() => {
      throw new ApiError(0, "network.unreachable", "the server cannot be reached");
    });
    if (response.ok) return response;
    const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    const error = (body["error"] ?? body) as Record<string, unknown>;
    throw new ApiError(
      response.status,
      String(error["code"] ?? `http.${response.status}`),
      String(error["message"] ?? response.statusText),
      String(error["hint"] ?? ""),
    );
  }
}
