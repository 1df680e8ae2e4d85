/** How a trace goes on at another process (w3.org/TR/trace-context): headers, or the extensions of a subscribe. */
export interface TraceHeaders {
  traceparent?: string;
  tracestate?: string;
}

/** As OpenTelemetry has them. */
export type SpanKind = 'internal' | 'server' | 'client' | 'consumer';

/** No token, no variable, no parameter of a statement belongs here: traces are read by many. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A piece of work in a trace. Where the trace is not sampled it costs next to nothing, and its children are itself. */
export interface Span {
  /** Whether anything that is told of it is kept. */
  readonly recorded: boolean;
  /** What goes with a call that is made in it. */
  readonly headers: Readonly<TraceHeaders>;
  child(name: string, kind: SpanKind, attributes?: SpanAttributes): Span;
  /**
   * What comes of it later, once or very often: in a trace of its own, or in the one that `from` names, with a link to
   * this span; recorded where this one is.
   */
  follow(name: string, kind: SpanKind, attributes?: SpanAttributes, from?: UntrustedTraceHeaders): Span;
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** What went wrong, in words that hold nothing secret. */
  fail(message: string): void;
  /** Nothing may be told of it afterwards. */
  end(): void;
}

/** As they come from elsewhere; what is malformed counts as absent. */
export type UntrustedTraceHeaders = Readonly<Record<string, unknown>>;

/** What makes and exports the spans of a process. */
export interface Tracing {
  /** Begins the span of what another process asks for: in its trace, where it names one, and otherwise in a new one. */
  serve(name: string, kind: SpanKind, from: UntrustedTraceHeaders | undefined, attributes?: SpanAttributes): Span;
  /** Exports what has ended, as far as that is possible within two seconds. */
  close(): Promise<void>;
}
