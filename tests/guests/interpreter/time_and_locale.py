import time, locale
print(time.tzname, locale.getlocale(), locale.getpreferredencoding(), time.process_time() < 60)
