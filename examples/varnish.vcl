vcl 4.1;
# Varnish in front of a Headwater edge: one fetch per object whatever the number of viewers, signed streams included.
# Tried with Varnish 7.1 by test/cdn; docs/cdn.md says why each line stands here.
import std;

backend edge {
  .host = "127.0.0.1";
  .port = "8080";
  # The edge holds a blocking reload for three target durations, 31 s at most.
  .first_byte_timeout = 40s;
  .between_bytes_timeout = 10s;
  .max_connections = 1000;
}

sub vcl_recv {
  if (req.restarts == 0) {
    # These are ours alone.
    unset req.http.X-Headwater-Url;
    unset req.http.X-Headwater-Token;
    unset req.http.X-Headwater-Scope;
  }
  if (req.method != "GET" && req.method != "HEAD") {
    return (pass);
  }
  # One name for all: replies do not depend on it.
  set req.http.Host = "edge";
  if (req.url ~ "^/(watch|embed|livez|readyz)(/|\?|$)") {
    set req.url = regsub(req.url, "\?.*", "");
    unset req.http.Cookie;
    return (hash);
  }
  # A viewer who shows a token outside of the URL gets a reply of their own, checked by the edge. VLC gets a recording's
  # playlists in another form.
  if (req.http.Authorization || req.http.Cookie ~ "(^|;)\s*hw_token=" ||
    (req.http.User-Agent ~ "^VLC/" && req.url ~ "/vod-[^?]*m3u8")) {
    return (pass);
  }
  unset req.http.Cookie;
  if (req.restarts == 0) {
    # First: may this viewer have it? The answer is kept for as long as the edge says, 5 s.
    set req.http.X-Headwater-Url = req.url;
    set req.http.X-Headwater-Scope = regsub(req.url, "^(/[^/?]+/[^/?]+).*$", "\1");
    if (req.url ~ "[?&]token=") {
      set req.http.X-Headwater-Token = regsub(req.url, "^.*?[?&]token=([^&]*).*$", "\1");
    }
    set req.url = "/api/access" + regsub(req.url, "\?.*$", "");
    return (hash);
  }
  # Then the object. Of the parameters only these stand in the key: no token, no CMCD, nothing else.
  set req.url = regsuball(req.http.X-Headwater-Url, "([?&])(?!(_HLS_msn|_HLS_part|_HLS_skip|start|end|init|gap)=)[^&]*", "\1");
  set req.url = regsuball(req.url, "&&+", "&");
  set req.url = regsub(regsub(req.url, "\?&+", "?"), "[?&]+$", "");
  set req.url = std.querysort(req.url);
  return (hash);
}

sub vcl_hash {
  if (req.url ~ "^/api/access/") {
    hash_data(req.http.X-Headwater-Scope);
    hash_data(req.http.X-Headwater-Token);
    return (lookup);
  }
}

sub vcl_backend_fetch {
  # The edge sees the token, the key does not.
  if (bereq.http.X-Headwater-Token) {
    if (bereq.url ~ "\?") {
      set bereq.url = bereq.url + "&token=" + bereq.http.X-Headwater-Token;
    } else {
      set bereq.url = bereq.url + "?token=" + bereq.http.X-Headwater-Token;
    }
  }
  unset bereq.http.X-Headwater-Url;
  unset bereq.http.X-Headwater-Token;
  unset bereq.http.X-Headwater-Scope;
}

sub vcl_backend_response {
  if (beresp.http.Cache-Control ~ "(no-store|private)") {
    # The built-in rule would remember for two minutes that the object cannot be kept: one 503, and for two minutes
    # each viewer's request goes through.
    set beresp.ttl = 1s;
    set beresp.grace = 0s;
    set beresp.uncacheable = true;
    return (deliver);
  }
  # An old playlist is worse than a moment's wait: nothing but the multivariant playlist, which says so itself, is
  # handed out while a newer one is fetched.
  if (beresp.http.Cache-Control !~ "stale-while-revalidate") {
    set beresp.grace = 0s;
  }
  set beresp.keep = 0s;
  # Varnish keeps one copy, packed, and unpacks it for those who want that.
  if (beresp.http.Content-Type ~ "mpegurl|json") {
    unset beresp.http.Vary;
    set beresp.do_gzip = true;
  }
  return (deliver);
}

sub vcl_deliver {
  if (req.restarts == 0 && req.url ~ "^/api/access/" && req.http.X-Headwater-Url && resp.status == 204) {
    return (restart);
  }
  set resp.http.X-Cache = regsub(obj.hits, "^0$", "MISS");
}
