"""The parts of the web connector: addresses, robots, sitemaps, pages, and the crawl that uses them."""
