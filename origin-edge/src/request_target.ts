/**
 * A request's path and query as they were sent: no decoding, no normalising, because nothing that we serve needs it.
 */
export interface RequestTarget {
  /** Begins with a slash. */
  readonly path: string;
  /** After the question mark; empty when there is none. */
  readonly query: string;
}

/** @param url absolute, as in `Request.url`; the fragment, which no client sends, goes */
export function originFormOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  if (start < 0) return '/';
  const hash = url.indexOf('#', start);
  return hash < 0 ? url.slice(start) : url.slice(start, hash);
}

/** @param target in origin form (RFC 9112 section 3.2.1): path and query as they stand in the request line */
export function readTarget(target: string): RequestTarget {
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/**
 * The value of a parameter as it stands in the query, undecoded; undefined when it is not there.
 * @param query what follows the question mark
 * @returns of one that is given more than once, all of them with commas between: no value of ours
 */
export function queryValue(query: string, name: string): string | undefined {
  const values = query.split('&').flatMap((pair) => {
    const equals = pair.indexOf('=');
    if ((equals < 0 ? pair : pair.slice(0, equals)) !== name) return [];
    return [equals < 0 ? '' : pair.slice(equals + 1)];
  });
  return values.length === 0 ? undefined : values.join(',');
}

const PLAIN_TARGET = /^(?:\/[A-Za-z0-9_~@:!$&'()*+,;=-][A-Za-z0-9._~@:!$&'()*+,;=-]*)*\/?(?:\?|$)/;

/**
 * True for a request target whose path a URL parser would leave as it is: no dot segments, escapes, backslashes or
 * empty segments. For runtimes that show the target before it was parsed; `Request.url` hides what it normalised.
 * @param target origin form or absolute form (RFC 9112 section 3.2)
 */
export function isPlainTarget(target: string): boolean {
  if (target.length > 4096) return false;
  if (target.startsWith('/')) return PLAIN_TARGET.test(target);
  const authority = /^https?:\/\/[^/?#]+/i.exec(target);
  return authority !== null && PLAIN_TARGET.test(target.slice(authority[0].length));
}
