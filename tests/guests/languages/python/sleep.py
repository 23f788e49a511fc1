print('before', flush=True)
import time; time.sleep(60)