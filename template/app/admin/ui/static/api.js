// Requests to the API. The token is in this module's memory only: no cookie, no storage, nothing in a URL.

const TIMEOUT = 30_000;
const DOWNLOAD_TIMEOUT = 600_000;
const ROOT = new URL(document.querySelector('meta[name="admin-api"]').content, document.baseURI).pathname;

let token = null;
let renew = null;

/** An error of the API, or of the way to it (status 0). */
export class ApiError extends Error {
  constructor(status, { code = "", message, details = {}, request_id: requestId = "" }) {
    super(message);
    Object.assign(this, { status, code, details, requestId });
  }
}

/** Use this token from now on; `null` forgets it. */
export function setToken(value) {
  token = value;
}

/** Call this function when a token is refused. It has to return a promise that is kept once there is another token. */
export function onRefusedToken(callback) {
  renew = callback;
}

/** Return when the token expires, if it is a JWT that says so. */
export function tokenExpiry() {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(payload));
    return Number.isFinite(exp) ? new Date(exp * 1000) : null;
  } catch {
    return null;
  }
}

/**
 * Send a request to an admin route and return the JSON of the response.
 *
 * Throws an `ApiError` if the API refuses it, and an `AbortError` if `signal` aborts it. If the token is refused, the
 * administrator signs in again and the request is repeated once, unless `retry` is false.
 */
export async function request(method, path, options = {}) {
  const response = await accepted(method, path, options);
  return response.status === 204 ? null : await body(response, options.signal, () => response.json());
}

/** Return the file that a GET route answers with. */
export async function download(path, query) {
  const response = await accepted("GET", path, { query, timeout: DOWNLOAD_TIMEOUT });
  return await body(response, undefined, () => response.blob());
}

async function accepted(method, path, { query = {}, body, signal, retry = true, timeout = TIMEOUT }) {
  const address = `${ROOT}${path}${queryString(query)}`;
  const response = await send(method, address, body, signal, timeout);
  if (response.status === 401 && retry && renew !== null) {
    await renew((await failure(response)).message);
    // Once: a route that refuses every token must not ask for one again and again.
    return accepted(method, path, { query, body, signal, timeout, retry: false });
  }
  if (!response.ok) throw await failure(response);
  return response;
}

async function send(method, address, body, signal, timeout) {
  const headers = { Authorization: `Bearer ${token}`, Accept: "*/*" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const limit = AbortSignal.timeout(timeout);
  const options = {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
  };
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const slow = error.name === "TimeoutError";
    throw new ApiError(0, {
      message: slow
        ? "The server did not answer in time. Check whether the change was made before you repeat it."
        : "The server cannot be reached. Check the connection and try again.",
    });
  }
}

/** Return what `read` makes of the body of a response. Throws an `ApiError` if it is cut off or not JSON. */
async function body(response, signal, read) {
  try {
    return await read();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(response.status, {
      message: "The server's response is incomplete or damaged. Check whether a change was made before you repeat it.",
      request_id: response.headers.get("X-Request-ID") ?? "",
    });
  }
}

async function failure(response) {
  try {
    return new ApiError(response.status, (await response.json()).error);
  } catch {
    return new ApiError(response.status, { message: `The server answered with the status ${response.status}.` });
  }
}

/** Return a query string of the values that are not empty. */
export function queryString(values) {
  const set = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return set.length === 0 ? "" : `?${new URLSearchParams(set)}`;
}
