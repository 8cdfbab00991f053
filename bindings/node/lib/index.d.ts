// The package's types, held against its use by test/types.ts.
import { constants } from './constants';
export { constants };

/** Keys and values of a configuration; `null` restores a key's default. */
export type Settings = Record<string, string | number | bigint | boolean | null>;

/**
 * A webhook to declare, create or change: `target`, `name`, `events`, the REST API's members, and every configuration
 * key of webhook scope. `null` clears a key to the engine's value.
 */
export interface Webhook {
  name?: string | null;
  target?: string | null;
  events?: string | readonly string[] | null;
  active?: boolean | null;
  auth_token?: string | null;
  auth_type?: string;
  auth_credentials?: Record<string, unknown>;
  auth_request_details?: Record<string, unknown>;
  custom_headers?: Record<string, string>;
  subaccount_id?: number;
  exception_subaccounts?: readonly number[];
  settings?: Record<string, unknown>;
  [key: string]: unknown;
}

/** A registered webhook, its secrets masked as `****`. */
export interface WebhookSnapshot extends Webhook {
  id: string;
  name: string;
  target: string;
  events: string[];
  active: boolean;
  state: string;
  created: string;
  last_successful: string | null;
  last_failure: string | null;
}

export type ReportKind =
  | 'delivered'
  | 'retrying'
  | 'dropped'
  | 'state'
  | 'overflow'
  | 'log'
  | 'dead_lettered'
  | 'spool'
  | 'endpoint'
  | 'limit';

/** One thing that happened, with the members of posthaste_report_json. */
export interface Report {
  kind: ReportKind;
  webhook_id: string;
  batch_id: string;
  message: string;
  ticket: number;
  code: number;
  reason: string;
  reached: 'no' | 'maybe' | 'yes';
  status: number;
  network_name: string;
  attempts: number;
  events: number;
  count: number;
  bytes: number;
  time_ms: number;
  next_try_ms: number;
  timing_us: { dns: number; connect: number; tls: number; first_byte: number; total: number };
  level: number;
}

/** What a failed call throws, or what its promise is rejected with. */
export class PosthasteError extends Error {
  /** The constant's name, such as `POSTHASTE_E_BAD_JSON`. */
  readonly code: string;
  /** Its number. */
  readonly errno: number;
  /** The offending key, field or header, or `""`. */
  readonly key: string;
  /** Of a failed verification: how far it came. */
  readonly phase?: 'none' | 'dns' | 'connect' | 'tls' | 'timeout' | 'http';
  /** Of a failed verification: the network error, such as `ECONNREFUSED`, or `""`. */
  readonly networkName?: string;
  /** Of a failed verification: the HTTP status, or 0. */
  readonly status?: number;
  readonly headers?: [name: string, value: string][];
  readonly body?: Buffer;
  private constructor();
}

/** One JSON object as text or bytes, or an object that is written as JSON. */
export type Payload = string | Uint8Array | object;

/** A builder: each field in its wire type, text repaired. Setters throw the first error, which sticks until `reset`. */
export class Event {
  constructor(type: string);
  reset(type?: string | null): this;
  /** A member of the open object, or with key `null` an element of the open array; `undefined` sets nothing. */
  set(key: string | null, value: string | number | bigint | boolean | object | null | undefined): this;
  setAll(fields: Record<string, string | number | bigint | boolean | object | null | undefined>): this;
  beginObject(key?: string | null): this;
  beginArray(key?: string | null): this;
  end(): this;
  mark(): this;
  rewind(): this;
  check(): void;
}

/** Which batches or dead letters: what passes fulfils every member. */
export interface Filter {
  webhook_id?: string;
  batch_id?: string;
  from_ms?: number;
  before_ms?: number;
  status?: number;
}

export interface Page {
  after?: number;
  limit?: number;
}

export interface Waiting {
  /** Milliseconds. */
  timeoutMs?: number;
}

export interface Request {
  method: string;
  target: string;
  headers?: Record<string, string | string[] | undefined>;
  body?: string | Uint8Array | null;
  peer?: string;
  scheme?: 'http' | 'https';
  identity?: { grant: 'view' | 'modify'; subaccount?: number };
}

export interface Response {
  status: number;
  headers: [name: string, value: string][];
  body: Buffer;
}

export interface ApiKey {
  id: string;
  name: string;
  grant: 'view' | 'modify';
  subaccount: number | null;
  created_ms: number;
}

export type JsonObject = Record<string, any>;

export class Engine implements AsyncDisposable {
  constructor(settings?: Settings);
  start(): this;
  readonly isClosed: boolean;
  close(options?: Waiting): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /** Keeps the process alive for reports, until `unref` or `close`. */
  ref(): this;
  unref(): this;

  set(key: string, value: string | number | boolean | null): void;
  get(key: string): string;

  put(id: string, webhook: Webhook): void;
  create(webhook: Webhook): Promise<WebhookSnapshot>;
  update(id: string, webhook: Webhook): Promise<void>;
  verify(id: string): Promise<void>;
  remove(id: string, options?: { drop?: boolean }): void;
  pause(id: string): void;
  resume(id: string): void;
  find(id: string): WebhookSnapshot | undefined;
  list(): WebhookSnapshot[];
  load(path: string): { added: number; changed: number; removed: number; unchanged: number };

  defineType(type: string, eventClass: string): void;
  wants(type?: string | null): boolean;
  push(event: Event): void;
  push(payload: Payload): void;
  push(type: string | null, payload: Payload): void;
  pushTrusted(type: string, payload: Payload): void;
  pushEnveloped(record: Payload): void;
  pushMany(type: string | null, lines: string | Uint8Array): { consumed: number; codes: number[]; code: number };
  check(type: string | null, payload: Payload): void;

  flush(options?: Waiting): Promise<void>;
  sync(options?: Waiting): Promise<void>;
  openBatch(id: string): { events: number; bytes: number };
  retryNow(id?: string | null): void;
  batchStatus(id: string, options?: { limit?: number; all?: boolean }): Promise<JsonObject[]>;

  waitingList(choice?: Filter & Page): Promise<JsonObject[]>;
  waitingFind(batchId: string): Promise<JsonObject>;
  deadLetterList(choice?: Filter & Page): Promise<JsonObject[]>;
  deadLetterFind(batchId: string): Promise<JsonObject>;
  deadLetterReplay(choice?: Filter & Waiting): Promise<number>;
  deadLetterRemove(choice?: Filter & Waiting): Promise<number>;
  purge(id: string, options?: Waiting): Promise<{ batches: number; events: number }>;
  batchExport(batchId: string): Promise<string>;
  spoolCheck(options?: Waiting): Promise<string[]>;

  keyCreate(name: string, grant: 'view' | 'modify', subaccount?: number | null): Promise<ApiKey & { key: string }>;
  keyPut(name: string, key: string, grant: 'view' | 'modify', subaccount?: number | null): Promise<ApiKey>;
  keyList(): Promise<ApiKey[]>;
  keyRevoke(id: string): Promise<void>;

  handle(request: Request): Promise<Response>;
  stats(): JsonObject;
  log(level: number, line: string): void;
  reports(): AsyncGenerator<Report, void, undefined>;
}

/** Describes one configuration key, or all of them. */
export function describe(key: string): JsonObject;
export function describe(key?: null): JsonObject[];
/** The library's version. */
export const version: string;
