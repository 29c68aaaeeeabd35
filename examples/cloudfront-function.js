// CloudFront Function (runtime 2.0), viewer request: lets a request through to the cache when its token opens the stream.
// For behaviours whose streams are all signed, by HS256. The key-value store that is associated with the function holds
// the secrets of HW_PLAYBACK_KEYS under `kid`. Held to the edge's own check by test/cdn.
import cf from 'cloudfront';
import crypto from 'crypto';

// HW_PLAYBACK_AUDIENCE, where that is set.
const AUDIENCE = undefined;

const REFUSED = {
  401: { statusCode: 401, statusDescription: 'Unauthorized' },
  403: { statusCode: 403, statusDescription: 'Forbidden' },
};

function refusal(status) {
  return Object.assign({}, REFUSED[status], {
    headers: { 'cache-control': { value: 'no-store' }, 'access-control-allow-origin': { value: '*' } },
  });
}

function decode(part) {
  return JSON.parse(Buffer.from(part, 'base64url').toString());
}

// In a time that does not tell how much of it is right.
function same(one, other) {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let index = 0; index < one.length; index += 1) difference |= one.charCodeAt(index) ^ other.charCodeAt(index);
  return difference === 0;
}

async function opens(token, streamId) {
  const parts = token.split('.');
  if (parts.length !== 3) return false;
  const header = decode(parts[0]);
  if (header.alg !== 'HS256' || typeof header.kid !== 'string') return false;
  const secret = await cf.kvs().get(header.kid);
  const wanted = crypto.createHmac('sha256', secret).update(`${parts[0]}.${parts[1]}`).digest('base64url');
  if (!same(parts[2], wanted)) return false;
  const claims = decode(parts[1]);
  const now = Date.now() / 1000;
  if (typeof claims.exp !== 'number' || now >= claims.exp + 5) return false;
  if (claims.nbf !== undefined && (typeof claims.nbf !== 'number' || now < claims.nbf - 5)) return false;
  if (AUDIENCE !== undefined && ![].concat(claims.aud).includes(AUDIENCE)) return false;
  return claims.sub === streamId;
}

async function handler(event) {
  const request = event.request;
  if (request.method === 'OPTIONS') return request;
  const shown = request.querystring.token;
  if (shown === undefined) return refusal(401);
  try {
    return (await opens(shown.value, request.uri.split('/')[1])) ? request : refusal(403);
  } catch (error) {
    // No such key, or no such thing as a token: it opens nothing.
    return refusal(403);
  }
}
