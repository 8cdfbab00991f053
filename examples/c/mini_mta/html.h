/*
 * Tracking in HTML text: every link to http or https becomes a redirect of ours, and a one-pixel
 * image is added at the end of the body. A scanner, not a parser: it changes href values and
 * nothing else, whatever the rest looks like.
 */
#ifndef MINI_MTA_HTML_H
#define MINI_MTA_HTML_H

#include "buffer.h"
#include "tracking.h"

/*
 * Writes `html` with its links replaced. with_pixel: 1 adds the image. A link whose tag has
 * data-msys-clicktrack="0" stays as it is; data-msys-linkname names a link.
 */
void html_track(struct span html, struct tracked* tracked, const char* base_url, int with_pixel,
                struct buffer* out);

#endif
