/**
 * Reads what a Markdown page points at: links, pictures, and paths of this project named in code spans.
 */

export interface MarkdownPage {
  /** Targets of links and pictures that lead to files here, without query and anchor, as written. */
  readonly links: readonly string[];
  /** Anchors of links within a page: the target file (empty: this page) and the anchor. */
  readonly anchors: readonly { readonly file: string; readonly anchor: string }[];
  /** Code spans that look like a path of this project. */
  readonly paths: readonly string[];
  /** Anchors that the page's headings make, by GitHub's rule. */
  readonly headings: readonly string[];
}

const LINK = /!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g;
const HTML_LINK = /\b(?:src|href)="([^"]+)"/g;
const CODE_SPAN = /`([^`\n]+)`/g;
/** Objects that are served or stored, not files of the project. */
const OBJECT = /^(?:recording|status|session|epoch|announced)\.json$/;
const PATH =
  /^(?:\.\/)?((?:contracts|transcoder|functions|origin-edge|local|test|bench|docs|script|examples|storage|stack|\.ci)\/[A-Za-z0-9_./-]*|[A-Za-z0-9_-]+\.(?:md|json|toml|yml)|Dockerfile\.[a-z]+)$/;

export function readMarkdown(text: string): MarkdownPage {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '');
  const withoutSpans = prose.replaceAll(CODE_SPAN, '');
  const targets = [...withoutSpans.matchAll(LINK), ...withoutSpans.matchAll(HTML_LINK)].map((match) => match[1] ?? '');
  const local = targets.filter((target) => !/^(?:[a-z][a-z+.-]*:|\/\/)/i.test(target));
  return {
    links: local.map((target) => target.replace(/[?#].*$/, '')).filter((target) => target !== ''),
    anchors: local.flatMap((target) => {
      const [file = '', anchor] = target.split('#');
      return anchor === undefined ? [] : [{ file, anchor }];
    }),
    paths: [...prose.matchAll(CODE_SPAN)].flatMap((match) => {
      const path = PATH.exec((match[1] ?? '').split(' ')[0] ?? '')?.[1];
      return path === undefined || OBJECT.test(path) ? [] : [path];
    }),
    headings: [...prose.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map((match) => anchorOf(match[1] ?? '')),
  };
}

/** The anchor that GitHub makes of a heading: lower case, punctuation dropped, spaces to hyphens. */
function anchorOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
}
