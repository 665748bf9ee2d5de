// Line icons, 20 by 20, in the colour of the text.
import { html, svg } from "./vendor/lit-html.js";

const PATHS = {
  weir: "M2 7c2.500 0 2.700 2 5.300 2S9.900 7 12.600 7s2.700 2 5.400 2M2 12.500c2.500 0 2.700 2 5.300 2s2.600-2 5.300-2 2.700 2 5.400 2",
  overview: "M3 15.500l4-5 3.500 3L17 5M3 17.500h14",
  readers: "M7 9.500a2.700 2.700 0 100-5.400 2.700 2.700 0 000 5.400zM2.500 16c.5-3 2.200-4.300 4.500-4.300S11 13 11.500 16M13 9.300a2.200 2.200 0 100-4.400M14 11.800c1.900.3 3.100 1.600 3.500 4.200",
  sources: "M4 5.500c0-1.400 2.700-2.300 6-2.300s6 .9 6 2.300-2.700 2.300-6 2.300-6-.9-6-2.300zM4 5.500v9c0 1.400 2.700 2.300 6 2.300s6-.9 6-2.300v-9M4 10c0 1.400 2.700 2.300 6 2.300s6-.9 6-2.300",
  tail: "M3 5h14M3 9h9M3 13h12M3 17h6",
  sessions: "M3.500 4.500h13v9h-7l-3.500 3v-3h-2.500z",
  question: "M7.500 7.500a2.500 2.500 0 113.600 2.200c-.8.5-1.100.9-1.100 1.800M10 14.500v.1",
  shield: "M10 3l6 2.200V10c0 3.500-2.500 5.900-6 7-3.500-1.100-6-3.500-6-7V5.200z",
  close: "M5 5l10 10M15 5L5 15",
  down: "M5 8l5 5 5-5",
  send: "M3.500 10h12M11 5.500l4.500 4.500-4.500 4.500",
  stop: "M6 6h8v8H6z",
};

/** Return an icon; it says nothing to a screen reader. */
export function icon(name) {
  return html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
    ${svg`<path d=${PATHS[name]} />`}
  </svg>`;
}
