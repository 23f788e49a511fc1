class Helper { static final int SEVEN = 7; }
